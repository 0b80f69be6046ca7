"""Who may use the page: names and passwords, signed cookies, proxies, and how often somebody may try."""
