//! The provider for development: an SMS lands on a page of this service.

use async_trait::async_trait;

use crate::{
    channel::Channel,
    inbox::DevInbox,
    provider::{Outcome, Provider},
    sms::SmsMessage,
};

#[async_trait]
impl Provider<SmsMessage> for DevInbox {
    fn name(&self) -> &'static str {
        DevInbox::NAME
    }

    async fn send(&self, message: &SmsMessage) -> Outcome {
        self.add(Channel::Sms, message.to.expose(), None, message.body.expose());
        Outcome::Accepted {
            provider_id: String::new(),
        }
    }
}
