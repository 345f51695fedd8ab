/// A wrong call: exit code 64, the words on standard error.
package struct UsageFault: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
