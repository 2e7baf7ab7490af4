//! placeholder, replaced by the transport's author
/// State of a budget that travels with the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BudgetState {}

impl Eq for BudgetState {}
