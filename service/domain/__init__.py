"""What the service does. It knows no HTTP and no SQL."""
