import Model
package import Platform

extension LogLine {
    /// The same without the names of proxy users.
    package var withoutUserName: LogLine {
        var line = self
        line.message = UserNames.hidden(in: message)
        if let name = fields["user"] { line.fields = fields.mapValues { UserNames.hide(name, in: $0) } }
        return line
    }
}
