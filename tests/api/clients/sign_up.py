"""Signs a user up by a generated client, and proves the phone: what a script does."""

import os
import re
import time

from ringback_client import AuthenticatedClient, Client
from ringback_client.api.accounts import me, register
from ringback_client.api.development import inbox
from ringback_client.api.phones import otp_status, send_phone_otp, verify_phone_otp
from ringback_client.models import (
    DeliveryStatus,
    EmailTakenProblem,
    OtpInvalidProblem,
    OtpStatus,
    RegisterRequest,
    SendRequest,
    Sent,
    SignedIn,
    User,
    Verified,
    VerifyRequest,
)

client = Client(base_url=os.environ["ADDRESS"])
body = RegisterRequest(
    email="python@example.com",
    phone="+14155552672",
    first_name="Ada",
    last_name="Byron",
    password="quiet-otter-47",
    password_confirm="quiet-otter-47",
)
made = register.sync(client=client, body=body)
assert isinstance(made, SignedIn), made
assert isinstance(register.sync(client=client, body=body), EmailTakenProblem)

# Without a token: nobody has to sign in for a code.
sent = send_phone_otp.sync(client=client, body=SendRequest(phone=body.phone))
assert isinstance(sent, Sent), sent
status = otp_status.sync(challenge_id=sent.challenge_id, client=client)
assert isinstance(status, OtpStatus), status
assert status.status in (DeliveryStatus.QUEUED, DeliveryStatus.SENT), status



def code_for(phone: str) -> str:
    """Asks until the message is there: it goes out after the answer."""
    for _ in range(200):
        messages = inbox.sync(client=client)
        assert isinstance(messages, list)
        for message in messages:
            if message.to == phone and (found := re.search("[0-9]{6}", message.body)):
                return found[0]
        time.sleep(0.05)
    raise AssertionError("no message came")


code = code_for(body.phone)
wrong = "000001" if code == "000000" else "000000"
refused = verify_phone_otp.sync(client=client, body=VerifyRequest(phone=body.phone, otp=wrong))
assert isinstance(refused, OtpInvalidProblem) and refused.attempts_remaining == 2, refused
verified = verify_phone_otp.sync(client=client, body=VerifyRequest(phone=body.phone, otp=code))
assert isinstance(verified, Verified), verified

signed_in = AuthenticatedClient(base_url=os.environ["ADDRESS"], token=made.tokens.access)
user = me.sync(client=signed_in)
assert isinstance(user, User) and user.phone_verified, user
