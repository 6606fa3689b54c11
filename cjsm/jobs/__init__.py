"""What happens by itself: durable jobs, claimed by the delivery owner, listed with their last results."""
