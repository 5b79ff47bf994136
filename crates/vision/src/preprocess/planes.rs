//! Which components share their bytes, so that a load serves all of them.

use crate::{Frame, frame::ColorModel};

/// Widest pixel whose two neighbours fit into eight bytes.
const WIDEST: usize = 4;

/// Components that lie between each other in the same rows: R, G and B of a packed format, both chromas of NV12.
#[derive(Clone, Copy)]
pub(super) struct Plane<'a> {
    /// Starts at the first byte of the first member.
    pub(super) data: &'a [u8],
    pub(super) row_stride: usize,
    pub(super) pixel_stride: usize,
    pub(super) shift_x: u8,
    pub(super) shift_y: u8,
    members: [Member; 3],
    count: usize,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Member {
    /// Number of the component in the frame.
    pub(super) component: usize,
    /// Bytes from the plane's first.
    pub(super) offset: usize,
}

impl<'a> Plane<'a> {
    pub(super) fn members(&self) -> &[Member] {
        self.members.get(..self.count).unwrap_or_default()
    }

    /// The largest of the members' offsets.
    pub(super) fn last_offset(&self) -> usize {
        self.members().iter().map(|member| member.offset).max().unwrap_or(0)
    }

    /// From the row that holds the samples of picture row `y`.
    pub(super) fn row(&self, y: usize) -> &'a [u8] {
        &self.data[(y >> self.shift_y) * self.row_stride..]
    }
}

/// The planes of a frame: every component is a member of exactly one.
pub(super) struct Planes<'a> {
    planes: [Option<Plane<'a>>; 3],
}

impl<'a> Planes<'a> {
    pub(super) fn of(frame: &Frame<'a>) -> Self {
        let used = if frame.color() == ColorModel::Gray { 1 } else { 3 };
        let mut planes = [None; 3];
        let mut placed = [false; 3];
        for first in 0..used {
            if placed[first] {
                continue;
            }
            let mut plane = Self::beginning_with(frame, first);
            for (other, placed) in placed.iter_mut().enumerate().take(used).skip(first + 1) {
                *placed = *placed || plane.join(frame, other);
            }
            planes[first] = Some(plane);
        }
        Self { planes }
    }

    fn beginning_with(frame: &Frame<'a>, component: usize) -> Plane<'a> {
        let first = frame.component(component);
        let mut members = [Member::default(); 3];
        members[0].component = component;
        Plane {
            data: first.data,
            row_stride: first.row_stride,
            pixel_stride: first.pixel_stride,
            shift_x: first.shift_x,
            shift_y: first.shift_y,
            members,
            count: 1,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Plane<'a>> {
        self.planes.iter().flatten()
    }
}

impl<'a> Plane<'a> {
    /// Takes a component in, if it lies in the same pixels and one slice holds them all.
    fn join(&mut self, frame: &Frame<'a>, component: usize) -> bool {
        let other = frame.component(component);
        let alike = (other.row_stride, other.pixel_stride, other.shift_x, other.shift_y)
            == (self.row_stride, self.pixel_stride, self.shift_x, self.shift_y);
        let (here, there) = (self.data.as_ptr().addr(), other.data.as_ptr().addr());
        let (before, after) = (here.saturating_sub(there), there.saturating_sub(here));
        let last = (self.last_offset() + before).max(after);
        if !alike || self.pixel_stride > WIDEST || last >= self.pixel_stride {
            return false;
        }
        let base = if before > 0 { other.data } else { self.data };
        // The earlier slice must reach as far as the last sample of any.
        if base.len() < last + other.bytes_needed(frame.width(), frame.height()) {
            return false;
        }
        self.data = base;
        for member in &mut self.members[..self.count] {
            member.offset += before;
        }
        self.members[self.count] = Member { component, offset: after };
        self.count += 1;
        true
    }
}
