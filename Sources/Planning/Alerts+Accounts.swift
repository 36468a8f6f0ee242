import Model

/// Alerts of keys and tokens that are refused, one for each account.
extension Alerts {
    static func alert(ofCredential account: ProviderAccount, _ breaker: Breaker, _ now: Timestamp) -> Alert {
        let (message, remedy) = account.name == nil ? words(ofOnly: account.provider, breaker) : words(of: account, breaker)
        return Alert(.credential(account), .critical, message, remedy: remedy, since: breaker.changedAt ?? now)
    }

    private static func words(ofOnly provider: ProviderName, _ breaker: Breaker) -> (message: String, remedy: String) {
        breaker.isOfToken
            ? (
                "\(provider) refuses the access token, so no exit of it can start; running exits keep serving",
                "make a new access token in the account and put it into providers.\(provider).access_token_file, or set private_key_file"
            )
            : (
                "servers of \(provider) refuse its key; no exit is moved because of that",
                "renew the token or key of \(provider) in the configuration; check the account and its limit of devices, and that outgoing UDP is allowed"
            )
    }

    private static func words(of account: ProviderAccount, _ breaker: Breaker) -> (message: String, remedy: String) {
        let place = "the account \(account.shownName) in providers.\(account.provider).accounts"
        let others = "its exits move to other accounts of \(account.provider) that have devices left"
        return breaker.isOfToken
            ? (
                "\(account.provider) refuses the access token of the account \(account.shownName): \(others)",
                "make a new access token, put it into the access_token_file of \(place), then sallyport reload"
            )
            : (
                "servers of \(account.provider) refuse the key of the account \(account.shownName): \(others)",
                "check that this account is paid for and its key known; put a new token or key into the file of \(place), then sallyport reload"
            )
    }
}
