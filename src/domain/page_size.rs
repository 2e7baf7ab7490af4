//! How many records a page is asked for.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    /// New ones that it is to bring.
    pub new: u32,
    /// The most, with those that it may repeat.
    pub most: u32,
}

impl PageSize {
    /// Of a store that bears some more than are wished for. Pages overlap and begin where a multiple of their size does; with the root
    /// more sizes to choose from, the best overlaps by as much as there are too many on average. The eighth makes up for the look at
    /// the end of a list whose length is not known, which waits for its last page: a list of eight pages takes as many calls one after
    /// the other as if it were.
    #[must_use]
    pub const fn stretching(new: u32) -> Self {
        Self { new, most: new + new / 8 + (2 * new).isqrt() }
    }

    /// Of a store that does not.
    #[must_use]
    pub const fn fixed(new: u32) -> Self {
        Self { new, most: new }
    }

    /// At most as many as are `wished` for, of a store that has shown to bear so many at the most, or nothing of the kind.
    #[must_use]
    pub fn borne(wished: u32, shown: Option<u32>) -> Self {
        shown.map_or(Self::stretching(wished), |most| Self::fixed(most.min(wished)))
    }
}
