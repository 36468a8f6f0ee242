/// The exits of a fleet by their country.
extension [ExitID: Exit] {
    /// Those of one country, in no order. A fleet has hundreds of exits, and each is looked at only by its name first.
    package func of(_ country: CountryCode) -> [Exit] { keys.lazy.filter { $0.country == country }.compactMap { self[$0] } }

    /// Those of one country that take traffic, in no order.
    package func serving(in country: CountryCode) -> [Exit] { of(country).filter(\.state.takesTraffic) }
}
