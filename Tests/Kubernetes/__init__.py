"""What can be tried of containers/kubernetes without a cluster."""
