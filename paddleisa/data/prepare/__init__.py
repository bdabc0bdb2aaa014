"""From the official files of a data set to the folders that training reads."""
