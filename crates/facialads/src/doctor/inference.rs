use super::Finding;

pub fn findings() -> Vec<Finding> {
    Vec::new()
}
