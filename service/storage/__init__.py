"""The only room with SQL. It knows rows and transactions; it does not know what a turn is for."""
