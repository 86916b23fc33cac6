"""kit: what every service is, minus what makes it this service. It knows no word of the domain."""
