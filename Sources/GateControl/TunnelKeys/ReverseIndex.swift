/// Which members name a thing: what has to be found by it, without looking at everybody.
struct ReverseIndex<Name: Hashable & Sendable, Member: Hashable & Sendable>: Sendable {
    private var members: [Name: Set<Member>] = [:]

    mutating func insert(_ member: Member, under names: some Sequence<Name>) {
        for name in names { members[name, default: []].insert(member) }
    }

    mutating func remove(_ member: Member, under names: some Sequence<Name>) {
        for name in names where members[name]?.remove(member) != nil {
            if members[name]?.isEmpty == true { members[name] = nil }
        }
    }

    mutating func removeAll() { members.removeAll(keepingCapacity: true) }

    subscript(name: Name) -> Set<Member> { members[name] ?? [] }

    func members(of names: some Sequence<Name>) -> Set<Member> {
        names.reduce(into: Set()) { $0.formUnion(self[$1]) }
    }
}
