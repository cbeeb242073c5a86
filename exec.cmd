@rem package.json runs its scripts by "exec", so that no shell stands between npm and them. Windows knows no exec: this is it.
@%*
