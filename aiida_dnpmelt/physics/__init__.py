"""Physics and statistics with numpy and scipy only; imports no AiiDA."""
