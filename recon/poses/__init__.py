"""Where an unknown video's cameras stood: several candidates, one judge."""
