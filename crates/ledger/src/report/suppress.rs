//! Withholding counts of few people so that they cannot be computed back from what is shown.
//!
//! The table is a grid of counts with a total at the end of every row and of every column. A count from 1 to k−1 is
//! withheld, and then more, smallest first, until
//!
//! 1. in no row or column that shows its total less than two counts, or counts of fewer than k people together, are
//!    withheld, and
//! 2. no withheld count follows from the shown ones by adding and subtracting (decided exactly, by elimination over the
//!    equations "the counts of a row make its total" and the same for columns).
//!
//! Zeros may be shown. Two reports over different times or screens can still be compared with each other: that is for
//! whoever hands reports out to mind (docs/reports.md).

/// Counts with their totals in the last row and the last column, and which of them are withheld.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    counts: Vec<Vec<u64>>,
    hidden: Vec<Vec<bool>>,
    k: u64,
}

type Cell = (usize, usize);

impl Grid {
    /// Of the counts without totals; every row of the same length. `hidden_totals` tells for each row and then for the
    /// grand total whether it is withheld already; with it goes its whole row.
    pub fn new(mut counts: Vec<Vec<u64>>, hidden_totals: &[bool], k: u64) -> Self {
        for row in &mut counts {
            row.push(row.iter().sum());
        }
        let width = counts.first().map_or(0, Vec::len);
        let totals = (0..width).map(|column| counts.iter().map(|row| row[column]).sum()).collect();
        counts.push(totals);
        let hidden = counts
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let whole = hidden_totals.get(index).copied().unwrap_or(false);
                row.iter().map(|count| whole || (1..k).contains(count)).collect()
            })
            .collect();
        Self { counts, hidden, k }
    }

    /// Withholds what must be.
    pub fn protect(mut self) -> Self {
        while let Some(cell) = self.next_to_hide() {
            self.hide(cell);
        }
        self
    }

    /// The count, or `None` where it is withheld. Totals stand behind the last column and row.
    pub fn get(&self, row: usize, column: usize) -> Option<u64> {
        let hidden = *self.hidden.get(row)?.get(column)?;
        if hidden { None } else { self.counts.get(row)?.get(column).copied() }
    }

    /// For each row and then for all of them: whether the total is withheld.
    pub fn hidden_totals(&self) -> Vec<bool> {
        self.hidden.iter().map(|row| row.last().copied().unwrap_or(false)).collect()
    }

    fn height(&self) -> usize {
        self.counts.len()
    }
    fn width(&self) -> usize {
        self.counts.first().map_or(0, Vec::len)
    }

    /// Rows, then columns; in each the total comes last.
    fn lines(&self) -> Vec<Vec<Cell>> {
        let rows = (0..self.height()).map(|row| (0..self.width()).map(|column| (row, column)).collect());
        let columns = (0..self.width()).map(|column| (0..self.height()).map(|row| (row, column)).collect());
        rows.chain(columns).collect()
    }

    fn is_hidden(&self, (row, column): Cell) -> bool {
        self.hidden[row][column]
    }
    fn count(&self, (row, column): Cell) -> u64 {
        self.counts[row][column]
    }

    fn hide(&mut self, (row, column): Cell) {
        self.hidden[row][column] = true;
        // A total could be added up from its row.
        if column + 1 == self.width() {
            self.hidden[row].fill(true);
        }
    }

    fn next_to_hide(&self) -> Option<Cell> {
        let lines = self.lines();
        let weak = lines.iter().filter(|line| self.is_weak(line)).find_map(|line| self.smallest_shown(line));
        weak.or_else(|| {
            let determined = self.determined(&lines)?;
            let through = lines.iter().filter(|line| line.contains(&determined));
            through.filter_map(|line| self.smallest_shown(line)).min_by_key(|cell| self.count(*cell))
        })
    }

    fn is_weak(&self, line: &[Cell]) -> bool {
        let Some((total, parts)) = line.split_last() else { return false };
        let hidden: Vec<Cell> = parts.iter().copied().filter(|cell| self.is_hidden(*cell)).collect();
        if self.is_hidden(*total) {
            return hidden.is_empty();
        }
        let people: u64 = hidden.iter().map(|cell| self.count(*cell)).sum();
        hidden.len() == 1 || (!hidden.is_empty() && people < self.k)
    }

    /// The smallest shown count of a line that is not zero; then a zero; the total only when nothing else is left.
    fn smallest_shown(&self, line: &[Cell]) -> Option<Cell> {
        let (total, parts) = line.split_last()?;
        let shown = |cell: &&Cell| !self.is_hidden(**cell);
        let part =
            parts.iter().filter(shown).min_by_key(|cell| (self.count(**cell) == 0, self.count(**cell)));
        part.or_else(|| Some(total).filter(shown)).copied()
    }

    /// A withheld count that follows from the shown ones, if there is one.
    fn determined(&self, lines: &[Vec<Cell>]) -> Option<Cell> {
        let unknown: Vec<Cell> = (0..self.height())
            .flat_map(|row| (0..self.width()).map(move |column| (row, column)))
            .filter(|cell| self.is_hidden(*cell))
            .collect();
        let mut equations: Vec<Vec<i32>> = lines
            .iter()
            .map(|line| {
                let total = line.last();
                let sign = |cell: &Cell| if Some(cell) == total { -1 } else { 1 };
                unknown.iter().map(|cell| if line.contains(cell) { sign(cell) } else { 0 }).collect()
            })
            .collect();
        reduce(&mut equations);
        let alone = equations.iter().find_map(|equation| {
            let mut terms = equation.iter().enumerate().filter(|(_, factor)| **factor != 0);
            let (index, _) = terms.next()?;
            terms.next().is_none().then_some(index)
        })?;
        unknown.get(alone).copied()
    }
}

/// Brings equations to reduced row echelon form. The matrix of a table with totals is totally unimodular, so every pivot
/// is 1 or −1 and whole numbers stay whole.
fn reduce(equations: &mut [Vec<i32>]) {
    let width = equations.first().map_or(0, Vec::len);
    let mut next = 0;
    for column in 0..width {
        let Some(pivot) = (next..equations.len()).find(|row| equations[*row][column] != 0) else { continue };
        equations.swap(next, pivot);
        let pivot = equations[next].clone();
        for (index, equation) in equations.iter_mut().enumerate() {
            let factor = equation[column] * pivot[column];
            if index != next && factor != 0 {
                equation.iter_mut().zip(&pivot).for_each(|(term, subtract)| *term -= factor * subtract);
            }
        }
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(counts: &[&[u64]], k: u64) -> Vec<Vec<Option<u64>>> {
        let grid = Grid::new(counts.iter().map(|row| row.to_vec()).collect(), &[], k).protect();
        (0..grid.height())
            .map(|row| (0..grid.width()).map(|column| grid.get(row, column)).collect())
            .collect()
    }

    #[test]
    fn large_counts_and_zeros_are_shown() {
        assert_eq!(
            shown(&[&[10, 0, 30], &[11, 12, 0]], 10),
            [
                vec![Some(10), Some(0), Some(30), Some(40)],
                vec![Some(11), Some(12), Some(0), Some(23)],
                vec![Some(21), Some(12), Some(30), Some(63)],
            ]
        );
    }

    #[test]
    fn a_small_count_takes_others_with_it_so_that_no_total_gives_it_away() {
        let table = shown(&[&[3, 20, 30], &[15, 25, 35]], 10);
        assert_eq!(table[0][0], None);
        assert_eq!(table[0][1], None, "else the row's total would give it away");
        assert_eq!(table[1][0], None, "else the column's total would");
        assert_eq!(table[1][1], None);
        assert_eq!((table[0][3], table[2][0], table[2][3]), (Some(53), Some(18), Some(128)));
    }

    #[test]
    fn a_row_of_few_people_is_withheld_whole() {
        let table = shown(&[&[2, 2], &[40, 50], &[60, 70]], 10);
        assert_eq!(table[0], [None, None, None]);
        assert_eq!(table[1], [None, None, None], "else it could be taken off the grand total");
        assert_eq!(table[3], [Some(102), Some(122), Some(224)]);
    }

    #[test]
    fn with_a_threshold_of_one_everything_is_shown() {
        assert!(shown(&[&[1, 0], &[2, 3]], 1).iter().flatten().all(Option::is_some));
    }

    /// Whether the shown counts leave a cell open: compares ranks over fractions, independently of the code above.
    fn could_differ(grid: &Grid, cell: Cell) -> bool {
        let lines = grid.lines();
        let unknown: Vec<Cell> = (0..grid.height())
            .flat_map(|row| (0..grid.width()).map(move |column| (row, column)))
            .filter(|c| grid.is_hidden(*c))
            .collect();
        let rank = |extra: bool| {
            let mut matrix: Vec<Vec<f64>> = lines
                .iter()
                .map(|line| {
                    let factor = |c: &Cell| match line.iter().position(|other| other == c) {
                        Some(at) if at + 1 == line.len() => -1.0,
                        Some(_) => 1.0,
                        None => 0.0,
                    };
                    unknown.iter().map(factor).collect()
                })
                .collect();
            if extra {
                matrix.push(unknown.iter().map(|c| f64::from(u8::from(*c == cell))).collect());
            }
            let (mut rank, width) = (0, unknown.len());
            for column in 0..width {
                let best = (rank..matrix.len())
                    .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()));
                let Some(pivot) = best.filter(|row| matrix[*row][column].abs() > 1e-9) else { continue };
                matrix.swap(rank, pivot);
                let pivot = matrix[rank].clone();
                for row in &mut matrix[rank + 1..] {
                    let factor = row[column] / pivot[column];
                    row.iter_mut().zip(&pivot).for_each(|(term, subtract)| *term -= factor * subtract);
                }
                rank += 1;
            }
            rank
        };
        // The cell follows from the equations exactly when "this cell" is a combination of them.
        rank(true) > rank(false)
    }

    proptest! {
        #[test]
        fn no_small_count_is_shown_and_no_withheld_count_can_be_computed_back(
            (width, cells) in (1usize..6).prop_flat_map(|width| {
                (Just(width), proptest::collection::vec(prop_oneof![Just(0u64), 1u64..15, 10u64..200], width..width * 6))
            }),
            k in 1u64..12,
        ) {
            let counts: Vec<Vec<u64>> = cells.chunks_exact(width).map(<[u64]>::to_vec).collect();
            let grid = Grid::new(counts, &[], k).protect();
            for row in 0..grid.height() {
                for column in 0..grid.width() {
                    if let Some(count) = grid.get(row, column) {
                        prop_assert!(count == 0 || count >= k);
                    } else {
                        prop_assert!(could_differ(&grid, (row, column)), "{grid:?} gives away {row}, {column}");
                    }
                }
            }
        }
    }
}
