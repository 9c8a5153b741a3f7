"""What tests of services need: real servers, given/when/then, a real SMTP sink. Never imported by a service."""
