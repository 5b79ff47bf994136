//! Who is who, as a whole: the pairs of rows and columns whose costs add up to least.
//!
//! Shortest augmenting paths with potentials, one row after the other (Jonker and Volgenant 1987, without their
//! initialisation): O(rows² · columns). Leaving a row and a column alone costs nothing, so a pair is made only if it costs less
//! than that, and never at the price of worse pairs elsewhere.

/// What it costs to leave a row and a column alone, and least cost of a pair that is never made.
const ALONE: f64 = 0.0;

/// Memory of the solver, kept from one time to the next.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    rows: usize,
    columns: usize,
    costs: Vec<f64>,
    row_potential: Vec<f64>,
    column_potential: Vec<f64>,
    /// Row (from 1; 0: none) of each column (from 1).
    row_of: Vec<usize>,
    previous: Vec<usize>,
    distance: Vec<f64>,
    done: Vec<bool>,
}

impl Assignment {
    /// Begins anew with `rows` x `columns` pairs, none of which may be made.
    pub(super) fn begin(&mut self, rows: usize, columns: usize) {
        (self.rows, self.columns) = (rows, columns);
        self.costs.clear();
        self.costs.resize(rows * columns, ALONE);
    }

    /// What a pair costs against leaving both alone; 0 or more, or no number: it is not made.
    pub(super) fn set(&mut self, row: usize, column: usize, cost: f64) {
        if row < self.rows
            && column < self.columns
            && let Some(entry) = self.costs.get_mut(row * self.columns + column)
        {
            *entry = if cost < ALONE { cost } else { ALONE };
        }
    }

    fn cost(&self, row: usize, column: usize, swapped: bool) -> f64 {
        let (row, column) = if swapped { (column, row) } else { (row, column) };
        self.costs.get(row * self.columns + column).copied().unwrap_or(ALONE)
    }

    /// Writes (row, column) of each pair made.
    // All indices are below the sizes that the vectors were just given.
    #[allow(clippy::indexing_slicing)]
    pub(super) fn solve(&mut self, pairs: &mut Vec<(usize, usize)>) {
        pairs.clear();
        // The method wants no more rows than columns.
        let swapped = self.rows > self.columns;
        let (n, m) = if swapped { (self.columns, self.rows) } else { (self.rows, self.columns) };
        refill(&mut self.row_potential, n + 1, 0.0);
        refill(&mut self.column_potential, m + 1, 0.0);
        refill(&mut self.row_of, m + 1, 0);
        refill(&mut self.previous, m + 1, 0);
        for row in 1..=n {
            self.row_of[0] = row;
            let mut column = 0;
            refill(&mut self.distance, m + 1, f64::INFINITY);
            refill(&mut self.done, m + 1, false);
            while self.row_of[column] != 0 {
                self.done[column] = true;
                let current = self.row_of[column];
                let (mut least, mut next) = (f64::INFINITY, 0);
                for j in 1..=m {
                    if self.done[j] {
                        continue;
                    }
                    let reduced = self.cost(current - 1, j - 1, swapped)
                        - self.row_potential[current]
                        - self.column_potential[j];
                    if reduced < self.distance[j] {
                        (self.distance[j], self.previous[j]) = (reduced, column);
                    }
                    if self.distance[j] < least {
                        (least, next) = (self.distance[j], j);
                    }
                }
                for j in 0..=m {
                    if self.done[j] {
                        self.row_potential[self.row_of[j]] += least;
                        self.column_potential[j] -= least;
                    } else {
                        self.distance[j] -= least;
                    }
                }
                column = next;
            }
            while column != 0 {
                let before = self.previous[column];
                self.row_of[column] = self.row_of[before];
                column = before;
            }
        }
        for column in 1..=m {
            let row = self.row_of[column];
            if row > 0 && self.cost(row - 1, column - 1, swapped) < ALONE {
                pairs.push(if swapped { (column - 1, row - 1) } else { (row - 1, column - 1) });
            }
        }
    }
}

fn refill<T: Clone>(values: &mut Vec<T>, length: usize, value: T) {
    values.clear();
    values.resize(length, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn solved(rows: usize, columns: usize, costs: &[f64]) -> Vec<(usize, usize)> {
        let (mut assignment, mut pairs) = (Assignment::default(), Vec::new());
        assignment.begin(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                assignment.set(row, column, costs[row * columns + column]);
            }
        }
        assignment.solve(&mut pairs);
        pairs
    }

    fn total(columns: usize, costs: &[f64], pairs: &[(usize, usize)]) -> f64 {
        pairs.iter().map(|(r, c)| costs[r * columns + c]).sum()
    }

    fn brute_force(rows: usize, columns: usize, costs: &[f64], row: usize, used: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        let alone = brute_force(rows, columns, costs, row + 1, used);
        (0..columns)
            .filter(|c| used & (1 << c) == 0 && costs[row * columns + c] < ALONE)
            .map(|c| costs[row * columns + c] + brute_force(rows, columns, costs, row + 1, used | 1 << c))
            .fold(alone, f64::min)
    }

    #[test]
    fn the_nearest_pair_is_not_taken_where_that_costs_more_as_a_whole() {
        assert_eq!(solved(2, 2, &[-9.0, -8.0, -8.5, -1.0]), [(1, 0), (0, 1)]);
        assert_eq!(
            solved(2, 2, &[-9.0, -2.0, -3.0, 1.0]),
            [(0, 0)],
            "two worse pairs are no better than a good one"
        );
        assert_eq!(solved(0, 3, &[]), []);
        assert_eq!(solved(1, 1, &[f64::NAN]), []);
    }

    proptest! {
        #[test]
        fn nothing_is_cheaper(
            rows in 0..6_usize,
            columns in 0..6_usize,
            costs in proptest::collection::vec(prop_oneof![4 => -30.0..30.0_f64, 1 => Just(f64::INFINITY)], 36),
        ) {
            let pairs = solved(rows, columns, &costs);
            let mut seen = (0_u32, 0_u32);
            for (row, column) in &pairs {
                prop_assert!(*row < rows && *column < columns);
                prop_assert!(seen.0 & (1 << row) == 0 && seen.1 & (1 << column) == 0);
                seen = (seen.0 | 1 << row, seen.1 | 1 << column);
            }
            let least = brute_force(rows, columns, &costs, 0, 0);
            let found = total(columns, &costs, &pairs);
            prop_assert!((found - least).abs() < 1e-9, "{found} {least}");
        }
    }
}
