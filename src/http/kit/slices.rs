//! A large body, sent slice by slice: only what a client has room for is copied into its connection.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

const SLICE_BYTES: usize = 8 * 1024;

/// What is yet to be sent.
pub struct Slices(pub Bytes);

impl MessageBody for Slices {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let next = self.0.len().min(SLICE_BYTES);
        Poll::Ready(Some(Ok(self.0.split_to(next))))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_body_comes_whole_and_in_slices() {
        let whole: Vec<u8> = (0..20_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut body = pin!(Slices(whole.clone().into()));
        assert_eq!(body.size(), BodySize::Sized(20_000));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let (mut sent, mut lengths) = (Vec::new(), Vec::new());
        while let Poll::Ready(Some(Ok(slice))) = body.as_mut().poll_next(&mut context) {
            lengths.push(slice.len());
            sent.extend_from_slice(&slice);
        }
        assert_eq!((sent, lengths), (whole, vec![8192, 8192, 3616]));
    }
}
