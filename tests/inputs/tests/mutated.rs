//! Runs the fuzz entries on mutated seeds, with stable Rust. `THREADLINE_FUZZ_SECONDS`
//! extends the run to that many seconds in all, with other inputs each time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, panic};

use threadline_inputs::ENTRIES;

/// Without the variable: the number of inputs for each entry, always the same ones.
const INPUTS: u64 = 20_000;

/// Fragments that parsers of these texts look for, and unusual ones.
const WORDS: [&str; 24] = [
    "=",
    "&",
    "%",
    "%00",
    "+",
    ":",
    "-",
    ".",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\\u0000",
    "NULL",
    "null",
    "\u{202e}",
    "\u{e9}",
    "\u{1f980}",
    "9223372036854775807",
    "ffffffffffffffff",
    "-9999-01-01",
    "1e400",
];

/// Pseudo-random numbers, by the algorithm of splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[(PathBuf, Vec<u8>)]) {
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let to = (at + self.below(8)).min(input.len());
            match self.below(6) {
                0 => {
                    if let Some(byte) = input.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
                1 => input.insert(at, self.roll() as u8),
                2 => drop(input.drain(at..to)),
                3 => {
                    let copy = input[at..to].to_vec();
                    input.splice(at..at, copy);
                }
                4 => {
                    let word = WORDS[self.below(WORDS.len())];
                    input.splice(at..to, word.bytes());
                }
                _ => {
                    let other = &seeds[self.below(seeds.len())].1;
                    let from = self.below(other.len() + 1);
                    input.truncate(at);
                    input.extend(&other[from..]);
                }
            }
        }
    }
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("seeds")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let seed = fs::read(&file).expect("a seed");
        (file, seed)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn nothing_panics_on_text_from_outside() {
    let seconds: Option<u64> = env::var("THREADLINE_FUZZ_SECONDS")
        .ok()
        .map(|text| text.parse().expect("THREADLINE_FUZZ_SECONDS is a number"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let begin = match seconds {
        Some(_) => now.map_or(1, |since| since.as_nanos() as u64),
        None => 1,
    };
    for (name, entry) in ENTRIES {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "fuzz/seeds/{name} is empty");
        let mut dice = Dice(begin);
        let end =
            seconds.map(|all| Instant::now() + Duration::from_secs(all) / ENTRIES.len() as u32);
        let mut tried: u64 = 0;
        loop {
            let mut input = match seeds.get(tried as usize) {
                // Each seed unchanged, first.
                Some((_, seed)) => seed.clone(),
                None => {
                    let mut input = seeds[dice.below(seeds.len())].1.clone();
                    dice.mutate(&mut input, &seeds);
                    input
                }
            };
            input.truncate(4096);
            if let Err(panic) = panic::catch_unwind(|| entry(&input)) {
                eprintln!("{name} panics on b\"{}\"", input.escape_ascii());
                panic::resume_unwind(panic);
            }
            tried += 1;
            match end {
                Some(end) if Instant::now() < end => {}
                None if tried < INPUTS => {}
                _ => break,
            }
        }
        println!("{name}: {tried} inputs");
    }
}
