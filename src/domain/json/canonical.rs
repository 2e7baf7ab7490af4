//! JSON spelled in one way only, so that the same content always gives the same text and the same hash.

use std::borrow::Cow;

use super::{MAX_DEPTH, Node, Tape, text, write_string};

/// Writes `raw` with the keys of every object in order and without white space, so that the same content always
/// gives the same text. Numbers keep their spelling. `None` when it nests too deep or holds invalid text.
#[must_use]
pub fn canonical(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    write_canonical(raw, 0, &mut out)?;
    Some(out)
}

/// An object of these members as [`canonical`] writes it. The values are valid JSON.
#[must_use]
pub fn canonical_object(mut members: Vec<(Cow<'_, str>, &str)>) -> Option<String> {
    for (name, _) in &mut members {
        if name.contains('\0') {
            *name = Cow::Owned(name.replace('\0', "\u{fffd}")); // it is written so, and that is what counts for the order
        }
    }
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut out =
        String::with_capacity(members.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() + 2);
    out.push('{');
    for (name, value) in members {
        member_name(&name, &mut out);
        write_canonical(value, 1, &mut out)?;
    }
    out.push('}');
    Some(out)
}

/// [`canonical`] into a buffer.
fn write_canonical(raw: &str, depth: usize, out: &mut String) -> Option<()> {
    match raw.as_bytes().first()? {
        b'{' | b'[' => write_canonical_node(Tape::new(raw)?.root(), depth, out),
        _ if depth > MAX_DEPTH => None,
        b'"' => write_canonical_text(raw, out),
        _ => {
            out.push_str(raw);
            Some(())
        }
    }
}

fn write_canonical_node(node: Node<'_, '_>, depth: usize, out: &mut String) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    match node.first() {
        b'{' => {
            let mut members: Vec<_> = node.members()?.map(|(name, value)| (name.name(), value)).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (name, value) in members {
                member_name(&name, out);
                write_canonical_node(value, depth + 1, out)?;
            }
            out.push('}');
        }
        b'[' => {
            out.push('[');
            for (n, element) in node.elements().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical_node(element, depth + 1, out)?;
            }
            out.push(']');
        }
        b'"' => write_canonical_text(node.raw(), out)?,
        _ => out.push_str(node.raw()),
    }
    Some(())
}

fn write_canonical_text(raw: &str, out: &mut String) -> Option<()> {
    write_string(&text(raw)?, out);
    Some(())
}

/// Writes the name of a member, with the comma before it and the colon after it.
fn member_name(name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_string(name, out);
    out.push(':');
}
