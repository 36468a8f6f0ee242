import CShims

package enum Terminal {
    /// Columns of the terminal behind a descriptor; nil where it is none, or does not say.
    package static func columns(of descriptor: Int32) -> Int? {
        let columns = Int(shim_terminal_columns(descriptor))
        return columns > 0 ? columns : nil
    }
}
