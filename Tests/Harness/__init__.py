"""What trials and measurements have in common: programs, HTTP, a lab, a controller, a simulated fleet, tables."""
