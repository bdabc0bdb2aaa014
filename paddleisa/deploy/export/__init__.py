"""From a model to files for other runtimes, compared with the model before they are kept."""
