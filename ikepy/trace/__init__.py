"""What happened, in words and in key tables: observers of the Endpoint."""
