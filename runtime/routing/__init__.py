"""Which model, and which server's tools, a task is given to: the pool, the statistics of clusters, spending and its limit.

Nothing here needs torch; scikit-learn is loaded only where clusters are made anew (extra `route`).
"""
