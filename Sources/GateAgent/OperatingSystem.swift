import GateClient
import GateModel

/// What this machine calls itself.
public enum OperatingSystem {
    /// PRETTY_NAME of os-release(5), or `Linux` where there is none that could be shown.
    public static func text() -> String {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            if let content = try? BoundedFile.text(path, limit: 65_536), let name = prettyName(content) { return name }
        }
        return "Linux"
    }

    /// The value of `PRETTY_NAME=`, its quotes taken off; nil when there is none or the gateway would refuse it.
    package static func prettyName(_ text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("PRETTY_NAME=") {
            var value = line.dropFirst("PRETTY_NAME=".count)
            for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
                value = value.dropFirst().dropLast()
            }
            guard !value.isEmpty, let label = Label(rawValue: String(value)) else { return nil }
            return label.rawValue
        }
        return nil
    }
}
