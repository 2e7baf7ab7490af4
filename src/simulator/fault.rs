//! Scripted faults: what goes wrong at which call.
//!
//! A fault is written `KIND[:option=value][@CALLS]`; [`GRAMMAR`] has all of it. It can be parsed from the
//! command line (`netosync simulate --fault 429:retry-after=5@4`) and from a test's string alike.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The grammar of faults, shown with every parse error.
pub const GRAMMAR: &str = "\
a fault is KIND[:option=value][@CALLS]; calls count from 1
  CALLS  @4 the 4th call, @4x3 calls 4 to 6, @4+ from call 4 on; without it every call (revoke@4: from 4 on)
  KIND   401, 403, 429, 500, 503 … any status from 400 to 599; 429:retry-after=5 adds the header
         ack-error[:message=TEXT]  Ack: Error over HTTP 200
         html        an HTML page over HTTP 200
         xml         XML instead of JSON
         garbage     JSON without Ack
         cut         half of the answer, then the connection breaks
         empty       a page without products
         repeat      the previous page once more
         revoke      the key is refused
         reject:part=Misc07             requests with this selector (or OrderBy) are refused, without a word of why
         too-much:rows=30               a page of more products ends in HTTP 504
         slow:ms=2000, latency:ms=100   the answer comes this much later
         huge:bytes=N                   an answer of more than N bytes
         redirect:https://elsewhere.example/";

/// A fault that is not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("fault `{text}`: {problem}\n{GRAMMAR}")]
pub struct FaultError {
    /// The fault as given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An HTTP status.
    Status {
        /// 400 to 599.
        code: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u64>,
    },
    /// `Ack: Error` with this message.
    AckError {
        /// The message.
        message: String,
    },
    /// An HTML page over HTTP 200.
    Html,
    /// XML instead of JSON.
    Xml,
    /// JSON that is not an answer.
    Garbage,
    /// Half of the answer, then a broken connection.
    Cut,
    /// A successful page without products.
    Empty,
    /// The page before once more.
    Repeat,
    /// The key is refused.
    Revoke,
    /// The answer comes later. Adds to whatever else happens to the call.
    Delay(Duration),
    /// An answer of more than this many bytes.
    Huge(u64),
    /// A redirect to this address.
    Redirect(String),
    /// Requests with this selector, or filter, are refused by a message that does not name it.
    Reject(String),
    /// Pages of more products than these end in HTTP 504.
    TooMuch(u64),
}

/// A fault and the calls it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The first call it strikes, from 1.
    pub first: u64,
    /// The last call it strikes; `None` when it never ends.
    pub last: Option<u64>,
}

impl Fault {
    /// Whether it strikes this call.
    #[must_use]
    pub fn strikes(&self, call: u64) -> bool {
        call >= self.first && self.last.is_none_or(|last| call <= last)
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let error = |problem: String| FaultError { text: text.to_owned(), problem };
        // From the right, because the address of a redirect may hold an @ too.
        let (what, calls) = match text.rsplit_once('@') {
            Some((what, calls)) if calls.starts_with(|first: char| first.is_ascii_digit()) => (what, Some(calls)),
            Some((what, calls)) if !what.starts_with("redirect:") => {
                return Err(error(format!("`{calls}` are no calls: {what}@4, {what}@4x3 or {what}@4+")));
            }
            _ => (text, None),
        };
        let kind = kind(what).map_err(error)?;
        let (first, last) = match calls {
            None => (1, None),
            Some(calls) => range(calls, kind == FaultKind::Revoke)
                .ok_or_else(|| error(format!("`{calls}` are no calls: @4, @4x3 or @4+, counted from 1")))?,
        };
        Ok(Self { kind, first, last })
    }
}

fn range(calls: &str, endless: bool) -> Option<(u64, Option<u64>)> {
    let (first, last) = if let Some(first) = calls.strip_suffix('+') {
        (first.parse().ok()?, None)
    } else if let Some((first, times)) = calls.split_once('x') {
        let (first, times): (u64, u64) = (first.parse().ok()?, times.parse().ok()?);
        (first, Some(first.checked_add(times.checked_sub(1)?)?))
    } else {
        let first = calls.parse().ok()?;
        (first, (!endless).then_some(first))
    };
    (first > 0).then_some((first, last))
}

fn kind(text: &str) -> Result<FaultKind, String> {
    let (name, option) = text.split_once(':').map_or((text, None), |(name, option)| (name, Some(option)));
    let plain = |kind: FaultKind| match option {
        None => Ok(kind),
        Some(option) => Err(format!("`{name}` takes no options, but got `{option}`")),
    };
    match name {
        "ack-error" => {
            let message = match option {
                None => "Unexpected Error".to_owned(),
                Some(option) => value(name, "message", Some(option))?.to_owned(),
            };
            Ok(FaultKind::AckError { message })
        }
        "html" => plain(FaultKind::Html),
        "xml" => plain(FaultKind::Xml),
        "garbage" => plain(FaultKind::Garbage),
        "cut" => plain(FaultKind::Cut),
        "empty" => plain(FaultKind::Empty),
        "repeat" => plain(FaultKind::Repeat),
        "revoke" => plain(FaultKind::Revoke),
        "slow" | "latency" => Ok(FaultKind::Delay(Duration::from_millis(count(name, "ms", option)?))),
        "huge" => Ok(FaultKind::Huge(count(name, "bytes", option)?)),
        "reject" => Ok(FaultKind::Reject(value(name, "part", option)?.to_owned())),
        "too-much" => Ok(FaultKind::TooMuch(count(name, "rows", option)?)),
        "redirect" => match option {
            // The address becomes a header, where only visible ASCII may stand.
            Some(url) if url.starts_with("http") && url.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(FaultKind::Redirect(url.to_owned()))
            }
            _ => Err("`redirect` needs an address: redirect:https://elsewhere.example/".to_owned()),
        },
        _ => status(name, option),
    }
}

fn status(name: &str, option: Option<&str>) -> Result<FaultKind, String> {
    match name.parse() {
        Ok(code @ 400..=599) => {
            let retry_after = option.map(|option| count(name, "retry-after", Some(option))).transpose()?;
            Ok(FaultKind::Status { code, retry_after })
        }
        Ok(code) => Err(format!("{code} is no error status: 400 to 599")),
        Err(_) => Err(format!("there is no fault `{name}`")),
    }
}

fn count(name: &str, option: &str, given: Option<&str>) -> Result<u64, String> {
    let text = value(name, option, given)?;
    text.parse().map_err(|_| format!("`{option}` of `{name}` is a whole number, not `{text}`"))
}

fn value<'a>(name: &str, option: &str, given: Option<&'a str>) -> Result<&'a str, String> {
    given
        .and_then(|given| given.strip_prefix(option)?.strip_prefix('='))
        .ok_or_else(|| format!("`{name}` is written {name}:{option}=…"))
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, retry_after: None } => write!(f, "{code}"),
            Self::Status { code, retry_after: Some(seconds) } => write!(f, "{code}:retry-after={seconds}"),
            Self::AckError { message } => write!(f, "ack-error:message={message}"),
            Self::Html => f.write_str("html"),
            Self::Xml => f.write_str("xml"),
            Self::Garbage => f.write_str("garbage"),
            Self::Cut => f.write_str("cut"),
            Self::Empty => f.write_str("empty"),
            Self::Repeat => f.write_str("repeat"),
            Self::Revoke => f.write_str("revoke"),
            Self::Delay(delay) => write!(f, "latency:ms={}", delay.as_millis()),
            Self::Huge(bytes) => write!(f, "huge:bytes={bytes}"),
            Self::Redirect(url) => write!(f, "redirect:{url}"),
            Self::Reject(part) => write!(f, "reject:part={part}"),
            Self::TooMuch(rows) => write!(f, "too-much:rows={rows}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(text: &str) -> Vec<u64> {
        let fault: Fault = text.parse().unwrap();
        (1..=8).filter(|call| fault.strikes(*call)).collect()
    }

    #[test]
    fn calls_are_one_several_open_ended_or_all() {
        assert_eq!(struck("500@2"), [2]);
        assert_eq!(struck("500@2x3"), [2, 3, 4]);
        assert_eq!(struck("html@6+"), [6, 7, 8]);
        assert_eq!(struck("latency:ms=100"), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(struck("revoke@5"), [5, 6, 7, 8]);
        assert_eq!(struck("revoke@5x2"), [5, 6]);
    }

    #[test]
    fn every_kind_is_read_and_written_back() {
        for text in [
            "401",
            "429:retry-after=5",
            "ack-error:message=Invalid token, sorry: no",
            "reject:part=Misc07",
            "too-much:rows=30",
            "html",
            "xml",
            "garbage",
            "cut",
            "empty",
            "repeat",
            "revoke",
            "latency:ms=100",
            "huge:bytes=70000",
            "redirect:https://elsewhere.example/",
        ] {
            let fault: Fault = format!("{text}@3x2").parse().unwrap();
            assert_eq!((fault.first, fault.last), (3, Some(4)), "{text}");
            assert_eq!(fault.kind.to_string(), text);
        }
        let at: Fault = "redirect:https://me@elsewhere.example/".parse().unwrap();
        assert_eq!(at.kind, FaultKind::Redirect("https://me@elsewhere.example/".into()));
    }

    #[test]
    fn a_fault_that_is_not_understood_says_why_and_teaches_the_grammar() {
        for (text, problem) in [
            ("4o1@3", "there is no fault `4o1`"),
            ("200@1", "200 is no error status: 400 to 599"),
            ("429:after=5", "`429` is written 429:retry-after=…"),
            ("slow:ms=soon@1", "`ms` of `slow` is a whole number, not `soon`"),
            ("html:loud@1", "`html` takes no options, but got `loud`"),
            ("500@0", "`0` are no calls: @4, @4x3 or @4+, counted from 1"),
            ("500@2x0", "`2x0` are no calls: @4, @4x3 or @4+, counted from 1"),
            ("500@often", "`often` are no calls: 500@4, 500@4x3 or 500@4+"),
            ("redirect@1", "`redirect` needs an address: redirect:https://elsewhere.example/"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert_eq!(error.problem, problem);
            assert!(error.to_string().ends_with(GRAMMAR));
        }
    }
}
