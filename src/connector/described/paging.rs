//! How lists are cut into pages: the types. `ask` and `page` walk them.

use super::Path;

/// How a list is cut into pages.
#[derive(Clone, Debug, PartialEq)]
pub enum Paging {
    /// The first answer is all there is.
    None,
    /// Pages have numbers.
    Page {
        /// Takes the number.
        param: PlacedParam,
        /// The number of the first page.
        first: u64,
        /// Takes the size.
        size: Option<PageSize>,
        /// Where the answer says how many records there are in all.
        total: Option<Path>,
        /// Where the answer says whether there is more.
        more: Option<Path>,
    },
    /// Pages begin at a count of records.
    Offset {
        /// Takes the count of records to skip.
        param: PlacedParam,
        /// Takes the size.
        size: Option<PageSize>,
        /// Where the answer says how many records there are in all.
        total: Option<Path>,
        /// Where the answer says at which record it starts.
        start: Option<Path>,
        /// Where the answer says how many records it has.
        count: Option<Path>,
        /// Where the answer says whether there is more.
        more: Option<Path>,
    },
    /// An answer names the address of the next.
    NextLink(NextLink),
    /// An answer brings a token that asks for the next.
    Cursor {
        /// Takes the token.
        param: PlacedParam,
        /// Where the token is.
        token: TokenPlace,
        /// Takes the size.
        size: Option<PageSize>,
        /// Where the answer says whether there is more.
        more: Option<Path>,
    },
}

impl Paging {
    /// As the file spells it.
    #[must_use]
    pub fn style(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Page { .. } => "page",
            Self::Offset { .. } => "offset",
            Self::NextLink(_) => "next-link",
            Self::Cursor { .. } => "cursor",
        }
    }
}

/// Where the address of the next page is. It never leaves the store's host.
#[derive(Clone, Debug, PartialEq)]
pub enum NextLink {
    /// In the answer.
    Path(Path),
    /// In the header `Link`, with `rel="next"`.
    Header,
}

/// Where the token of the next page is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenPlace {
    /// In the answer.
    Answer(Path),
    /// In the last record of the page.
    LastItem(Path),
}

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamPlace {
    /// Into the query.
    Query,
    /// Into the JSON body.
    Body,
}

/// A parameter: a name in the query, or a path in the body.
#[derive(Clone, Debug, PartialEq)]
pub enum PlacedParam {
    /// Of the query.
    Query(String),
    /// Of the JSON body.
    Body(Path),
}

/// The size of pages: the parameter and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct PageSize {
    /// Takes the size.
    pub param: PlacedParam,
    /// Records a page.
    pub size: u32,
}
