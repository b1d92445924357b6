#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| threadline_inputs::cursor(input));
