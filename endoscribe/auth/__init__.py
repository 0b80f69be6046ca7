"""Authentication: auth modes, users and passwords, session cookies, trusted proxies, rate limits and quotas."""
