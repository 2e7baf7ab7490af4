//! What a random sample says about all products: an exact bound, one-sided, at 95 %.
//!
//! The sample is drawn without putting products back, so the number of wrong ones in it is hypergeometric: for many products the
//! bound is that of Clopper and Pearson, and a sample of everything is certainty.

/// How sure the bound is.
pub const CONFIDENCE: f64 = 0.95;
/// What is left to chance, less what the arithmetic may be off by.
const CHANCE: f64 = 0.05 - 1e-9;

/// The most products that may be wrong among `all`, when `wrong` of the `drawn` are: of every larger number it is less than 5 %
/// likely that a sample shows so few.
#[must_use]
pub fn most_wrong(all: u64, drawn: u64, wrong: u64) -> u64 {
    let drawn = drawn.min(all);
    let wrong = wrong.min(drawn);
    // Of those drawn it is known.
    let (mut possible, mut impossible) = (wrong, all - drawn + wrong + 1);
    while impossible - possible > 1 {
        let middle = possible + (impossible - possible) / 2;
        if as_few_as(wrong, all, middle, drawn) > CHANCE {
            possible = middle;
        } else {
            impossible = middle;
        }
    }
    possible
}

/// The share of all products that is right at least, from 0 to 1.
#[must_use]
pub fn least_right(all: u64, drawn: u64, wrong: u64) -> f64 {
    if all == 0 {
        return 1.0;
    }
    (all - most_wrong(all, drawn, wrong)) as f64 / all as f64
}

/// How likely it is to draw `wrong` or fewer of the `all_wrong` when `drawn` of `all` are drawn.
fn as_few_as(wrong: u64, all: u64, all_wrong: u64, drawn: u64) -> f64 {
    let least = drawn.saturating_sub(all - all_wrong);
    let ways = ln_choose(all, drawn);
    let likely = |wrong: u64| (ln_choose(all_wrong, wrong) + ln_choose(all - all_wrong, drawn - wrong) - ways).exp();
    (least..=wrong.min(all_wrong)).map(likely).sum()
}

/// Logarithm of the number of ways to draw `k` of `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Logarithm of `n!`: multiplied out while that is short, then Stirling's series, whose error is below 10⁻¹² there.
fn ln_factorial(n: u64) -> f64 {
    if n < 16 {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let n = n as f64;
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many that a sample takes nothing away from them.
    const MANY: u64 = 100_000_000;

    #[test]
    fn of_very_many_products_the_bound_is_that_of_clopper_and_pearson() {
        // Upper limits of the one-sided interval at 95 %: 1 - 0.05^(1/n) without a wrong one, else the quantile of
        // Beta(wrong + 1, drawn - wrong), from published tables.
        for (drawn, wrong, share) in [
            (1, 0, 0.95),
            (10, 0, 0.258_866),
            (10, 1, 0.394_163),
            (10, 5, 0.777_559),
            (20, 2, 0.282_619),
            (59, 0, 0.049_508),
            (100, 0, 0.029_513),
            (100, 1, 0.046_561),
            (100, 5, 0.102_253),
            (400, 0, 0.007_461),
        ] {
            let found = 1.0 - least_right(MANY, drawn, wrong);
            assert!((found - share).abs() < 2e-6, "{wrong} of {drawn}: {found}, not {share}");
        }
    }

    #[test]
    fn the_bound_is_exact_where_it_can_be_counted() {
        // Of 10 products 5 are drawn and right: with 4 wrong ones that happens in 6 of 252 draws, with 3 in 21.
        assert_eq!(most_wrong(10, 5, 0), 3);
        // 1 of 6 drawn is wrong: with 4 wrong ones C(4,1)·C(6,5) + C(6,6) = 25 of 210, with 5 C(5,1)·C(5,5) = 5.
        assert_eq!(most_wrong(10, 6, 1), 4);
        for all in [1_u64, 2, 7, 40] {
            for drawn in 0..=all {
                for wrong in 0..=drawn {
                    let most = most_wrong(all, drawn, wrong);
                    let likely = |all_wrong| by_counting(wrong, all, all_wrong, drawn);
                    assert!(likely(most) > CHANCE, "{all} {drawn} {wrong}: {most}");
                    assert!(most == all - drawn + wrong || likely(most + 1) <= 0.05, "{all} {drawn} {wrong}: {most}");
                }
            }
        }
    }

    /// [`as_few_as`] with whole numbers.
    fn by_counting(wrong: u64, all: u64, all_wrong: u64, drawn: u64) -> f64 {
        let choose = |n: u64, k: u64| (0..k).fold(1_u128, |ways, i| ways * u128::from(n - i) / u128::from(i + 1));
        let least = drawn.saturating_sub(all - all_wrong);
        let ways = |wrong| choose(all_wrong, wrong) * choose(all - all_wrong, drawn - wrong);
        let few: u128 = (least..=wrong.min(all_wrong)).map(ways).sum();
        few as f64 / choose(all, drawn) as f64
    }

    #[test]
    fn a_sample_of_everything_is_certainty_and_one_of_nothing_says_nothing() {
        for (all, wrong) in [(1, 0), (1, 1), (1000, 0), (1000, 17), (1_000_000, 3)] {
            assert_eq!(most_wrong(all, all, wrong), wrong);
        }
        assert_eq!(most_wrong(1000, 0, 0), 1000);
        assert_eq!((most_wrong(0, 0, 0), least_right(0, 0, 0).to_bits()), (0, 1.0_f64.to_bits()));
    }

    #[test]
    fn a_finite_number_of_products_makes_it_surer() {
        assert!(least_right(1000, 400, 0) > least_right(100_000, 400, 0));
        let promised = least_right(100_000, 400, 0);
        assert!((0.9925..0.9926).contains(&promised), "{promised}");
        // A sample of half a million with ten thousand wrong ones is counted in no time, too.
        assert!((0.9796..0.98).contains(&least_right(1_000_000, 500_000, 10_000)));
    }
}
