//! Text of a value: a part of the page it came in, or its own.
//!
//! A first load carries millions of short texts from the task that reads a page to the one that writes it. They share the page they
//! stand in instead of being copied out of it, each into memory of its own.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// See the module. Texts are equal when they say the same.
#[derive(Clone)]
pub struct Text<'a>(Kept<'a>);

#[derive(Clone)]
enum Kept<'a> {
    Borrowed(&'a str),
    Owned(Box<str>),
    /// The bytes from `start` to `end` of a page.
    Shared {
        page: Arc<String>,
        start: u32,
        end: u32,
    },
}

impl Text<'_> {
    /// The same text, borrowing nothing: a part of `page` where it stands in it, otherwise a copy.
    #[must_use]
    pub fn sharing(self, page: &Arc<String>) -> Text<'static> {
        Text(match self.0 {
            Kept::Borrowed(text) => match place(text, page) {
                Some((start, end)) => Kept::Shared { page: page.clone(), start, end },
                None => Kept::Owned(text.into()),
            },
            Kept::Owned(text) => Kept::Owned(text),
            Kept::Shared { page, start, end } => Kept::Shared { page, start, end },
        })
    }
}

/// Where `text` lies in `page`, if it does.
fn place(text: &str, page: &str) -> Option<(u32, u32)> {
    let start = (text.as_ptr() as usize).checked_sub(page.as_ptr() as usize)?;
    let end = start + text.len();
    (end <= page.len()).then_some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            Kept::Borrowed(text) => text,
            Kept::Owned(text) => text,
            Kept::Shared { page, start, end } => &page[*start as usize..*end as usize],
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Kept::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Kept::Owned(text.into()))
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_page_is_shared_and_any_other_is_copied() {
        let page = Arc::new("a päge of text".to_owned());
        let shares = |text: &Text<'_>| matches!(text.0, Kept::Shared { .. });
        for (text, shared) in [(&page[..], true), (&page[2..7], true), (&page[15..], true), ("of", false), ("", false)]
        {
            let kept = Text::from(text).sharing(&page);
            assert_eq!((&*kept, shares(&kept)), (text, shared));
            let twice = kept.clone().sharing(&Arc::default());
            assert_eq!((&*twice, shares(&twice)), (text, shared));
        }
        let own = Text::from("own".to_owned()).sharing(&page);
        assert!(!shares(&own) && own == Text::from("own"));
        let kept = Text::from(&page[..1]).sharing(&page);
        drop(page);
        assert_eq!(&*kept, "a", "it keeps the page");
    }
}
