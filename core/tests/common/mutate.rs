//! Damages the header of a GGUF file, field by field.
#![allow(dead_code, unreachable_pub, reason = "included by several test crates, each of which uses a part")]

/// A reproducible source of numbers: the generator of Knuth's MMIX, whose high bits are the random
/// ones.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.bits();
        random
    }

    pub fn bits(&mut self) -> u64 {
        let mut half = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0 >> 32
        };
        half() << 32 | half()
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() >> 1).unwrap() % limit.max(1)
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Where a number of the header lies.
#[derive(Debug, Clone, Copy)]
struct Field {
    at: usize,
    size: usize,
}

/// The fields of a sound file's header, by what they are: each kind is damaged equally often, however
/// many fields it has.
#[derive(Debug)]
pub struct Layout {
    kinds: Vec<Vec<Field>>,
    /// Where the data section begins.
    pub header_len: usize,
}

/// Bytes put in place of others.
#[derive(Debug, Clone)]
pub struct Edit {
    pub at: usize,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Kind {
    Head,
    ValueType,
    Number,
    Length,
    Text,
    Element,
    Name,
    Rank,
    Dim,
    TensorType,
    Offset,
}

const KINDS: usize = Kind::Offset as usize + 1;

impl Layout {
    pub fn of(file: &[u8]) -> Self {
        let mut walk = Walk { file, at: 0, kinds: vec![Vec::new(); KINDS] };
        walk.field(Kind::Head, 4);
        walk.field(Kind::Head, 4);
        let tensors = walk.field(Kind::Head, 8);
        let pairs = walk.field(Kind::Head, 8);
        for _ in 0..pairs {
            walk.text(Kind::Name);
            let value_type = walk.field(Kind::ValueType, 4);
            walk.value(value_type);
        }
        for _ in 0..tensors {
            walk.text(Kind::Name);
            let rank = walk.field(Kind::Rank, 4);
            for _ in 0..rank {
                walk.field(Kind::Dim, 8);
            }
            walk.field(Kind::TensorType, 4);
            walk.field(Kind::Offset, 8);
        }
        let mut kinds = walk.kinds;
        kinds.retain(|fields| !fields.is_empty());
        Layout { kinds, header_len: walk.at }
    }

    /// One to three edits.
    pub fn edits(&self, file: &[u8], random: &mut Random) -> Vec<Edit> {
        (0..=random.below(3) * random.below(2))
            .map(|_| {
                let fields = random.one_of(&self.kinds);
                let field = *random.one_of(fields);
                let other = *random.one_of(fields);
                let bytes = damaged(file, field, other, random);
                Edit { at: field.at, bytes }
            })
            .collect()
    }
}

struct Walk<'a> {
    file: &'a [u8],
    at: usize,
    kinds: Vec<Vec<Field>>,
}

impl Walk<'_> {
    fn field(&mut self, kind: Kind, size: usize) -> usize {
        let at = self.at;
        self.kinds[kind as usize].push(Field { at, size });
        self.at += size;
        usize::try_from(number(&self.file[at..at + size])).unwrap()
    }

    fn text(&mut self, kind: Kind) {
        let len = self.field(Kind::Length, 8);
        if len > 0 {
            // A byte of it each, at both ends: elsewhere nothing else happens.
            for at in [self.at, self.at + len - 1] {
                self.kinds[kind as usize].push(Field { at, size: 1 });
            }
        }
        self.at += len;
    }

    fn value(&mut self, value_type: usize) {
        match value_type {
            8 => self.text(Kind::Text),
            9 => {
                let element = self.field(Kind::ValueType, 4);
                let len = self.field(Kind::Length, 8);
                for _ in 0..len {
                    match element {
                        8 => self.text(Kind::Text),
                        _ => {
                            self.field(Kind::Element, size_of(element));
                        }
                    }
                }
            }
            _ => {
                // Hyperparameters matter most.
                for _ in 0..2 {
                    self.field(Kind::Number, size_of(value_type));
                    self.at -= size_of(value_type);
                }
                self.at += size_of(value_type);
            }
        }
    }
}

fn size_of(value_type: usize) -> usize {
    match value_type {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        _ => 8,
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn damaged(file: &[u8], field: Field, other: Field, random: &mut Random) -> Vec<u8> {
    let old = number(&file[field.at..field.at + field.size]);
    let bits = field.size * 8;
    let new = match random.below(14) {
        0 => 0,
        1 => 1,
        2 => old.wrapping_add(1),
        3 => old.wrapping_sub(1),
        4 => old.wrapping_mul(2),
        5 => old / 2,
        6 => u64::MAX,
        7 => 1 << (bits - 1),
        8 => (1 << (bits - 1)) - 1,
        9 => random.bits(),
        10 => random.bits() % 64,
        11 if other.size == field.size => number(&file[other.at..other.at + other.size]),
        _ => old ^ (1 << random.below(bits)),
    };
    new.to_le_bytes()[..field.size].to_vec()
}
