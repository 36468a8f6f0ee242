/// Names of proxy users in what is told of them, for readers who may not know them.
package enum UserNames {
    /// What stands for a name.
    package static let mask = "***"

    /// A sentence of an event, an alert or the log without the name of the user whom it is about: what begins with `user NAME` or
    /// `alert user:NAME`, as every such sentence does, in the store's events of earlier versions too.
    package static func hidden(in message: String) -> String {
        for beginning in ["user ", "alert user:", "user:"] where message.hasPrefix(beginning) {
            return hide(String(message.dropFirst(beginning.count).prefix(while: isOfName)), in: message, from: beginning)
        }
        return message
    }

    /// - Parameter name: of the user whom the text is about.
    package static func hide(_ name: String, in text: String) -> String { hide(name, in: text, from: "") }

    private static func hide(_ name: String, in text: String, from beginning: String) -> String {
        // A sentence may end in a point, which a name may hold as well.
        guard !name.isEmpty else { return text }
        var result = beginning
        var rest = text.dropFirst(beginning.count)
        while let first = rest.first {
            guard isOfName(first) else {
                result.append(rest.removeFirst())
                continue
            }
            let word = rest.prefix(while: isOfName)
            result += word == name ? mask : String(word)
            rest = rest.dropFirst(word.count)
        }
        return result
    }

    private static func isOfName(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter && character.isLowercase || character.isNumber || character == "_" || character == ".")
    }
}

extension Event {
    package var withoutUserName: Event {
        var event = self
        event.message = UserNames.hidden(in: message)
        return event
    }
}

extension Alert {
    /// The same without the name of the user whom it is about; `number` stands for it in the subject.
    package func withoutUserName(number: Int) -> Alert {
        let (name, shown): (String, AlertSubject)
        switch subject {
        case .user(let user): (name, shown) = (user, .user("\(number)"))
        case .guessed(let user): (name, shown) = (user, .guessed("\(number)"))
        default: return self
        }
        var alert = self
        alert.subject = shown
        alert.message = UserNames.hide(name, in: message)
        alert.remedy = UserNames.hide(name, in: remedy)
        return alert
    }
}
