export SHOP=/srv/shop
alias shoplog='journalctl -u shop'
