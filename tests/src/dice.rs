//! Randomness that is the same in every run.

use std::ops::Range;

/// Returns the seeds of a random test. `THREADLINE_SEEDS` asks for others: `100`, or `57..58`.
pub fn seeds(unasked: Range<u64>) -> Range<u64> {
    let Ok(asked) = std::env::var("THREADLINE_SEEDS") else {
        return unasked;
    };
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|e| panic!("THREADLINE_SEEDS={asked}: {e}"))
    };
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 1..1 + number(&asked),
    }
}

/// A xorshift generator.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll(end as usize) as u64
    }

    /// Returns true once in so many times.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    /// Returns one of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}
