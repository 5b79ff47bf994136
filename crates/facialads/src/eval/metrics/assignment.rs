//! Pairing rows with columns so that the sum is smallest.

/// The column of each row in the assignment of least total cost, for `rows` ≤ `columns`: the Hungarian method with
/// potentials, O(rows² · columns) (H. W. Kuhn, 1955; J. Munkres, 1957). Costs must be finite.
pub fn least_cost(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    debug_assert!(rows <= columns);
    // Indices are 1-based with 0 as "none", as the method is usually written down.
    let (mut row_potential, mut column_potential) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
    let mut row_of = vec![0_usize; columns + 1];
    let mut came_from = vec![0_usize; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; columns + 1];
        let mut used = vec![false; columns + 1];
        while row_of[column] != 0 {
            used[column] = true;
            let current = row_of[column];
            let (mut delta, mut next) = (f64::INFINITY, 0);
            for candidate in (1..=columns).filter(|candidate| !used[*candidate]) {
                let reduced =
                    cost(current - 1, candidate - 1) - row_potential[current] - column_potential[candidate];
                if reduced < least[candidate] {
                    (least[candidate], came_from[candidate]) = (reduced, column);
                }
                if least[candidate] < delta {
                    (delta, next) = (least[candidate], candidate);
                }
            }
            if next == 0 {
                // Only a cost that is no number leads here; what is left stays unpaired.
                break;
            }
            for candidate in 0..=columns {
                if used[candidate] {
                    row_potential[row_of[candidate]] += delta;
                    column_potential[candidate] -= delta;
                } else {
                    least[candidate] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut columns_of = vec![usize::MAX; rows];
    for (column, row) in row_of.iter().enumerate().skip(1).filter(|(_, row)| **row > 0) {
        columns_of[row - 1] = column - 1;
    }
    columns_of
}

/// Pairs (row, column) of greatest total gain, each used once at most; pairs that gain nothing are left apart.
pub fn greatest_gain(rows: usize, columns: usize, gain: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let pairs: Vec<(usize, usize)> = if rows <= columns {
        least_cost(rows, columns, |r, c| -gain(r, c)).into_iter().enumerate().collect()
    } else {
        let swapped = least_cost(columns, rows, |c, r| -gain(r, c));
        swapped.into_iter().enumerate().map(|(column, row)| (row, column)).collect()
    };
    pairs.into_iter().filter(|&(r, c)| r < rows && c < columns && gain(r, c) > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_whole_is_found_where_the_cheapest_pair_would_mislead() {
        // Taking the 1 first forces 9: 10. The best is 2 + 3 = 5.
        let costs = [[1.0, 2.0], [3.0, 9.0]];
        assert_eq!(least_cost(2, 2, |r, c| costs[r][c]), [1, 0]);
        let costs = [[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]];
        assert_eq!(least_cost(3, 3, |r, c| costs[r][c]), [1, 0, 2]);
    }

    #[test]
    fn more_rows_than_columns_and_gains_of_nothing() {
        let gains = [[0.0], [5.0], [7.0]];
        assert_eq!(greatest_gain(3, 1, |r, c| gains[r][c]), [(2, 0)]);
        assert_eq!(greatest_gain(2, 2, |_, _| 0.0), []);
        assert_eq!(greatest_gain(0, 3, |_, _| 1.0), []);
    }

    #[test]
    fn it_agrees_with_trying_everything() {
        let mut random = super::super::random::Random::new(5);
        for _ in 0..200 {
            let costs: Vec<f64> = (0..16).map(|_| random.below(10) as f64).collect();
            let total = |columns: &[usize]| -> f64 {
                columns.iter().enumerate().map(|(r, c)| costs[r * 4 + c]).sum()
            };
            let mut best = f64::INFINITY;
            for order in 0..256_usize {
                let columns = [order & 3, (order >> 2) & 3, (order >> 4) & 3, (order >> 6) & 3];
                let different = (0..4).all(|c| columns.contains(&c));
                if different {
                    best = best.min(total(&columns));
                }
            }
            assert_eq!(total(&least_cost(4, 4, |r, c| costs[r * 4 + c])), best);
        }
    }
}
