//! Repetitions and sizes: short for every change, long for hours.

use std::fmt;

/// The sizes of a run.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    long: bool,
    /// The source of every random choice of this run.
    pub seed: u64,
}

impl Scale {
    /// The first in short, the second in long.
    pub fn of<T>(&self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }

    /// A source of random numbers for one fault.
    pub fn random(&self, fault: &str) -> Random {
        Random::new(fault.bytes().fold(self.seed, |seed, byte| seed.wrapping_mul(31) ^ u64::from(byte)))
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults: {}, --seed {}", self.of("short", "long"), self.seed)
    }
}

/// The scale that the arguments ask for, and the remaining arguments.
pub fn of_arguments(args: impl Iterator<Item = String>) -> (Scale, Vec<String>) {
    let mut scale = Scale { long: false, seed: u64::from(std::process::id()) };
    let mut rest = Vec::new();
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--long" => scale.long = true,
            "--seed" => scale.seed = args.next().and_then(|text| text.parse().ok()).expect("--seed NUMBER"),
            _ => rest.push(arg),
        }
    }
    (scale, rest)
}

/// Pseudo-random numbers, the same for the same seed: xorshift64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        // Never zero, which would stay zero; small seeds give very different sequences.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// One below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap();
        &all[at]
    }
}
