"""From the delivery ledger to a provider: claims, attempts and outcomes (D8)."""
