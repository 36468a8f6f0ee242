/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func tryInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // The end of the process is how the fuzzer is told; nothing but the fuzzer links this.
    if let rule = ParserTrial.brokenRule(Array(UnsafeBufferPointer(start: data, count: count))) { fatalError("broken: \(rule)") }
    return 0
}
