"""The winner's network itself, looked at closely: spoilt images, surest mistakes, the ground it stands on."""
