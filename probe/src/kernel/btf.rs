//! A reader of the kernel's type information (BTF), as far as offsets and names need it. Format:
//! `Documentation/bpf/btf.rst` in the kernel's tree. Any bytes are read or refused, never a panic.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where the running kernel keeps its BTF.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why type information cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// No such file: the kernel was built without it.
    #[error(
        "failed to read the kernel's type information {path}: {source}; connprobe needs a kernel with \
         CONFIG_DEBUG_INFO_BTF=y (5.8 or later)"
    )]
    Read {
        /// File.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// The bytes are not BTF.
    #[error("failed to parse the kernel's type information: {what} at byte {at}")]
    Parse {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// The kernel has no such structure or member.
    #[error("this kernel has no `{what}`")]
    Missing {
        /// Structure and member.
        what: String,
    },
    /// Several structures of one name disagree.
    #[error("this kernel has several `struct {name}` that disagree on `{path}`")]
    Ambiguous {
        /// Structure.
        name: String,
        /// Member.
        path: String,
    },
    /// A member has another size or form than the programs read.
    #[error("`{what}` is {found} in this kernel, {wanted} were expected")]
    Shape {
        /// Structure and member.
        what: String,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
}

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const FLOAT: u32 = 16;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

/// Parsed type information.
pub struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Where each type starts in `types`; type ids count from 1.
    starts: Vec<u32>,
    structs: HashMap<u32, Vec<u32>>,
    by_name: HashMap<Vec<u8>, u32>,
    funcs: HashMap<u32, u32>,
}

/// A member found by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// Bytes it takes.
    pub size: u32,
}

struct Type {
    name: u32,
    kind: u32,
    vlen: usize,
    kind_flag: bool,
    /// Size of a structure, or the type referred to.
    value: u32,
    /// Where its members are.
    extra: usize,
}

impl Btf {
    /// Reads and parses a file, [`KERNEL_BTF`] for the running kernel's.
    pub fn from_file(path: &Path) -> Result<Self, BtfError> {
        let bytes = std::fs::read(path).map_err(|source| BtfError::Read { path: path.to_owned(), source })?;
        Self::parse(&bytes)
    }

    /// Parses BTF in the byte order of this host.
    pub fn parse(bytes: &[u8]) -> Result<Self, BtfError> {
        let fail = |what, at| BtfError::Parse { what, at };
        let word = |at: usize| read_u32(bytes, at).ok_or(fail("the header is cut short", at));
        if bytes.get(0..2) != Some(&0xeb9f_u16.to_ne_bytes()[..]) {
            return Err(fail("no BTF of this byte order", 0));
        }
        let header = word(4)? as usize;
        let section = |off: usize, len: usize| {
            let start = header.checked_add(off)?;
            bytes.get(start..start.checked_add(len)?)
        };
        let types = section(word(8)? as usize, word(12)? as usize);
        let types = types.ok_or(fail("the types are cut short", 8))?.to_vec();
        let strings = section(word(16)? as usize, word(20)? as usize);
        let strings = strings.ok_or(fail("the strings are cut short", 16))?.to_vec();
        let mut btf = Self {
            types,
            strings,
            starts: Vec::new(),
            structs: HashMap::new(),
            by_name: HashMap::new(),
            funcs: HashMap::new(),
        };
        btf.index()?;
        Ok(btf)
    }

    fn index(&mut self) -> Result<(), BtfError> {
        let mut at = 0;
        while at < self.types.len() {
            let t = self.type_at(at).ok_or(BtfError::Parse { what: "a type is cut short", at })?;
            self.starts.push(u32::try_from(at).unwrap_or(u32::MAX));
            let id = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
            let per_member = match t.kind {
                INT | 14 | 17 => 4,
                ARRAY => 12,
                STRUCT | UNION | 15 | ENUM64 => 12 * t.vlen,
                ENUM | FUNC_PROTO => 8 * t.vlen,
                PTR | 7 | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNC | FLOAT | TYPE_TAG => 0,
                _ => return Err(BtfError::Parse { what: "a type of an unknown kind", at }),
            };
            if t.name != 0 && matches!(t.kind, STRUCT | UNION) {
                self.structs.entry(t.name).or_default().push(id);
            }
            if t.kind == FUNC {
                self.funcs.insert(t.name, id);
            }
            if matches!(t.kind, STRUCT | UNION | FUNC | TYPEDEF | ENUM | ENUM64) && t.name != 0 {
                let name = self.string(t.name).to_vec();
                // Strings are shared, so a name has one offset; keep the first where it has not.
                self.by_name.entry(name).or_insert(t.name);
            }
            at = t.extra + per_member;
        }
        if at == self.types.len() {
            Ok(())
        } else {
            Err(BtfError::Parse { what: "the last type is cut short", at })
        }
    }

    fn type_at(&self, at: usize) -> Option<Type> {
        let info = read_u32(&self.types, at + 4)?;
        Some(Type {
            name: read_u32(&self.types, at)?,
            kind: (info >> 24) & 0x1f,
            vlen: (info & 0xffff) as usize,
            kind_flag: info >> 31 == 1,
            value: read_u32(&self.types, at + 8)?,
            extra: at + 12,
        })
    }

    fn get(&self, id: u32) -> Option<Type> {
        let start = *self.starts.get(id.checked_sub(1)? as usize)?;
        self.type_at(start as usize)
    }

    fn string(&self, offset: u32) -> &[u8] {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.split(|b| *b == 0).next().unwrap_or_default()
    }

    /// The type behind typedefs and qualifiers.
    fn strip(&self, mut id: u32) -> Option<(u32, Type)> {
        for _ in 0..32 {
            let t = self.get(id)?;
            match t.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => id = t.value,
                _ => return Some((id, t)),
            }
        }
        None
    }

    fn size(&self, id: u32, depth: u32) -> Option<u32> {
        if depth > 16 {
            return None;
        }
        let (_, t) = self.strip(id)?;
        match t.kind {
            PTR => u32::try_from(size_of::<usize>()).ok(),
            ARRAY => {
                let element = self.size(read_u32(&self.types, t.extra)?, depth + 1)?;
                element.checked_mul(read_u32(&self.types, t.extra + 8)?)
            }
            INT | STRUCT | UNION | ENUM | ENUM64 | FLOAT => Some(t.value),
            _ => None,
        }
    }

    /// Finds `path` (members separated by dots; anonymous ones are looked through, an array stands for its
    /// first element) in `struct name`.
    pub fn member(&self, name: &str, path: &str) -> Result<Member, BtfError> {
        let missing = || BtfError::Missing { what: format!("{name}.{path}") };
        let ids = self.by_name.get(name.as_bytes()).and_then(|n| self.structs.get(n)).ok_or_else(missing)?;
        let mut found: Option<Member> = None;
        for id in ids {
            let Some(member) = self.follow(*id, path)? else { continue };
            if found.is_some_and(|f| f != member) {
                return Err(BtfError::Ambiguous { name: name.into(), path: path.into() });
            }
            found = Some(member);
        }
        found.ok_or_else(missing)
    }

    fn follow(&self, id: u32, path: &str) -> Result<Option<Member>, BtfError> {
        let mut id = id;
        let mut bits = 0_u32;
        for step in path.split('.') {
            let mut element = id;
            if let Some((_, t)) = self.strip(id)
                && t.kind == ARRAY
            {
                element = read_u32(&self.types, t.extra).unwrap_or(0);
            }
            let Some((member, at, bitfield)) = self.find(element, step.as_bytes(), 0) else {
                return Ok(None);
            };
            if bitfield || at % 8 != 0 {
                return Err(BtfError::Shape {
                    what: path.into(),
                    found: "a bit field".into(),
                    wanted: "whole bytes".into(),
                });
            }
            bits = bits.saturating_add(at);
            id = member;
        }
        Ok(self.size(id, 0).map(|size| Member { offset: bits / 8, size }))
    }

    /// Type, offset in bits and bit-field mark of a member, looked for in anonymous members too.
    fn find(&self, id: u32, name: &[u8], depth: u32) -> Option<(u32, u32, bool)> {
        let (_, t) = self.strip(id)?;
        if depth > 8 || !matches!(t.kind, STRUCT | UNION) {
            return None;
        }
        (0..t.vlen).find_map(|i| {
            let at = t.extra + 12 * i;
            let member_name = read_u32(&self.types, at)?;
            let member = read_u32(&self.types, at + 4)?;
            let raw = read_u32(&self.types, at + 8)?;
            let (offset, bitfield) =
                if t.kind_flag { (raw & 0x00ff_ffff, raw >> 24 != 0) } else { (raw, false) };
            if member_name == 0 {
                let (found, inner, bitfield) = self.find(member, name, depth + 1)?;
                return Some((found, offset.checked_add(inner)?, bitfield));
            }
            (self.string(member_name) == name).then_some((member, offset, bitfield))
        })
    }

    /// Whether the kernel has a function of this name.
    pub fn has_function(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    fn function(&self, name: &str) -> Option<Type> {
        self.get(*self.funcs.get(self.by_name.get(name.as_bytes())?)?)
    }

    /// Number of arguments of a function.
    pub fn arguments(&self, function: &str) -> Option<usize> {
        self.get(self.function(function)?.value).filter(|t| t.kind == FUNC_PROTO).map(|t| t.vlen)
    }

    /// Number of arguments of a tracepoint, from the type of its probes (`btf_trace_NAME`, whose first
    /// argument is not the tracepoint's). `None` if there is no such tracepoint.
    pub fn tracepoint_arguments(&self, tracepoint: &str) -> Option<usize> {
        let name = format!("btf_trace_{tracepoint}");
        let (_, pointer) = self.strip(self.typedef(name.as_bytes())?)?;
        let (_, proto) = self.strip(pointer.value).filter(|_| pointer.kind == PTR)?;
        (proto.kind == FUNC_PROTO).then(|| proto.vlen.saturating_sub(1))
    }

    /// Whether argument `n` of a tracepoint, from 0, is a pointer.
    pub fn tracepoint_argument_is_pointer(&self, tracepoint: &str, n: usize) -> bool {
        let name = format!("btf_trace_{tracepoint}");
        let argument = || {
            let (_, pointer) = self.strip(self.typedef(name.as_bytes())?)?;
            let (_, proto) = self.strip(pointer.value)?;
            // The first argument of a probe is not the tracepoint's.
            let argument = read_u32(&self.types, proto.extra + 8 * (n + 1) + 4)?;
            (proto.kind == FUNC_PROTO && n + 1 < proto.vlen).then(|| self.strip(argument)).flatten()
        };
        argument().is_some_and(|(_, t)| t.kind == PTR)
    }

    fn typedef(&self, name: &[u8]) -> Option<u32> {
        let name = *self.by_name.get(name)?;
        let is_it = |id: &u32| self.get(*id).is_some_and(|t| t.kind == TYPEDEF && t.name == name);
        (1..=u32::try_from(self.starts.len()).ok()?).find(is_it)
    }

    /// Names and numbers of an enum, empty if there is none of this name.
    pub fn enumerators(&self, name: &str) -> Vec<(String, u32)> {
        let Some(name) = self.by_name.get(name.as_bytes()).copied() else { return Vec::new() };
        self.all_types().find(|t| t.name == name && t.kind == ENUM).map_or_else(Vec::new, |t| {
            (0..t.vlen).filter_map(|i| self.enumerator(&t, i)).map(|(n, v)| (lossy(n), v)).collect()
        })
    }

    /// Number of one enumerator, in whatever enum it is.
    pub fn enumerator_value(&self, wanted: &str) -> Option<u32> {
        self.all_types().filter(|t| t.kind == ENUM).find_map(|t| {
            let mut all = (0..t.vlen).filter_map(|i| self.enumerator(&t, i));
            all.find(|(name, _)| *name == wanted.as_bytes()).map(|(_, value)| value)
        })
    }

    fn all_types(&self) -> impl Iterator<Item = Type> {
        self.starts.iter().filter_map(|start| self.type_at(*start as usize))
    }

    fn enumerator(&self, t: &Type, i: usize) -> Option<(&[u8], u32)> {
        let at = t.extra + 8 * i;
        Some((self.string(read_u32(&self.types, at)?), read_u32(&self.types, at + 4)?))
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(raw.try_into().ok()?))
}
