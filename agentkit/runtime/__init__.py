"""Where an action becomes an effect. One loop; every way to run an agent is a view of it."""
