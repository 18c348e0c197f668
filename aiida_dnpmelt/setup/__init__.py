"""Profile, PostgreSQL cluster, codes and their check-up."""
