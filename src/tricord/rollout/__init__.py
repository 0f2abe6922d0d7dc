"""Moving traffic: strategies write routing plans and never touch a request."""
