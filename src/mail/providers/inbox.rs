//! The provider for development: an e-mail lands on a page of this service.

use async_trait::async_trait;

use crate::{
    channel::Channel,
    inbox::DevInbox,
    mail::EmailMessage,
    provider::{Outcome, Provider},
};

#[async_trait]
impl Provider<EmailMessage> for DevInbox {
    fn name(&self) -> &'static str {
        DevInbox::NAME
    }

    async fn send(&self, message: &EmailMessage) -> Outcome {
        let (to, body) = (message.to.expose(), message.text.expose());
        self.add(Channel::Email, to, Some(&message.subject), body);
        Outcome::Accepted {
            provider_id: String::new(),
        }
    }
}
