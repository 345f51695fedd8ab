/// Runs every order in which several actors can take their steps.
package enum Interleavings {
    /// Takes one step and says whether there is another.
    package typealias Actor = () throws -> Bool

    /// Makes a fresh world for each order and checks it at the end. Returns how many orders there were.
    package static func explore<World>(
        _ make: () throws -> (world: World, actors: [Actor]), check: (World, _ order: [Int]) throws -> Void
    ) throws -> Int {
        var prefixes: [[Int]] = [[]]
        var count = 0
        while let prefix = prefixes.popLast() {
            let (world, actors) = try make()
            var running = Array(actors.indices)
            var order: [Int] = []
            while let first = running.first {
                let choice = order.count < prefix.count ? prefix[order.count] : first
                if order.count >= prefix.count {
                    for other in running.dropFirst() { prefixes.append(order + [other]) }
                }
                order.append(choice)
                if try !actors[choice]() { running.removeAll { $0 == choice } }
            }
            try check(world, order)
            count += 1
        }
        return count
    }
}
